"""Linear algebra of decomposition: a k x k convolution as a chain of cheaper ones, fitted on second moments.

``gram.py`` gathers the moments, ``forms.py`` says which chains there are, and one file each fits them: ``paper.py`` (He et al.
2019, Algorithms 1 to 3, and their baselines), ``als.py`` (depthwise, pointwise), ``bs.py`` (pointwise, depthwise), ``pdp.py``
(pointwise, depthwise, pointwise). Everything is float64; patches are (N, C K K), channel-major; dense weights are (C K K, F).
"""
