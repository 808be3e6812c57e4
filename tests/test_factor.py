"""Claims about the fits that hold for any layer and any inputs."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolodsc.decompose.factor import als, bs, paper, pdp, pruned, tucker
from yolodsc.decompose.factor.dense_forms import Squeezed, Tucker
from yolodsc.decompose.factor.forms import DepthwisePointwise, Pdp, PointwiseDepthwise, with_factors
from yolodsc.decompose.factor.gram import Accumulator, Gram, Matrix, moments

CHANNELS, TAPS, FILTERS = 6, 9, 10


def patches(seed: int, *, samples: int = 600) -> Matrix:
    """Correlated, skewed patches, as those behind a rectifier are: (N, C K K)."""
    random = np.random.default_rng(seed)
    mix = random.standard_normal((CHANNELS * TAPS, CHANNELS * TAPS)) + 4 * np.eye(CHANNELS * TAPS)
    return np.maximum(random.standard_normal((samples, CHANNELS * TAPS)) @ mix, -0.5)


def layer(seed: int, *, samples: int = 600) -> tuple[Matrix, Matrix, Gram]:
    """Patches, random weights, and their moments."""
    X = patches(seed, samples=samples)
    W = np.random.default_rng(seed + 1000).standard_normal((CHANNELS * TAPS, FILTERS))
    return X, W, moments(X, X @ W, channels=CHANNELS)


seeds = st.integers(0, 10_000)


@given(seeds)
def test_gram_error_is_the_error_on_the_samples(seed: int) -> None:
    """The quadratic form gives what the residual of the patches gives."""
    X, W, gram = layer(seed)
    other = W + np.random.default_rng(seed).standard_normal(W.shape)

    residual = X @ W - (X @ other + gram.bias(other))

    Y = X @ W
    assert gram.error(other) == pytest.approx(np.linalg.norm(residual) / np.linalg.norm(Y - Y.mean(axis=0)), rel=1e-8)


@given(seeds, st.integers(1, 599))
def test_moments_do_not_depend_on_the_batches(seed: int, cut: int) -> None:
    """Patches in one batch or in two give one Gram matrix."""
    X, W, gram = layer(seed)
    accumulator = Accumulator(channels=CHANNELS, taps=TAPS, filters=FILTERS)

    for part in (X[:cut], X[cut:]):
        accumulator.add(part, part @ W)

    np.testing.assert_allclose(accumulator.gram().G, gram.G, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(accumulator.gram().T, gram.T, rtol=1e-10, atol=1e-9)


@given(seeds)
def test_separable_layers_are_recovered(seed: int) -> None:
    """A layer that was depthwise and pointwise all along comes back with an error under 1e-6."""
    random = np.random.default_rng(seed)
    true = DepthwisePointwise(random.standard_normal((CHANNELS, 1, TAPS)), random.standard_normal((CHANNELS, 1, FILTERS)))
    X, W = patches(seed), true.dense()
    gram = moments(X, X @ W, channels=CHANNELS)

    two = paper.compensated(W, gram)

    for form in (paper.weight_svd(W, channels=CHANNELS), paper.plain(W, gram), two, als.alternate(gram, two)):
        assert gram.error(form.dense()) < 1e-6


@given(seeds)
def test_blueprint_layers_are_recovered(seed: int) -> None:
    """A layer that was pointwise and depthwise all along comes back with an error under 1e-5."""
    random = np.random.default_rng(seed)
    true = PointwiseDepthwise(random.standard_normal((CHANNELS, FILTERS)), random.standard_normal((FILTERS, TAPS)))
    X, W = patches(seed), true.dense()
    gram = moments(X, X @ W, channels=CHANNELS)

    assert gram.error(bs.fit(W, gram).dense()) < 1e-5


@given(seeds)
def test_alternating_is_no_worse_than_algorithm_2(seed: int) -> None:
    """ALS starts from Algorithm 2 and only goes down."""
    _, W, gram = layer(seed)

    two = paper.compensated(W, gram)

    assert gram.error(als.alternate(gram, two).dense()) <= gram.error(two.dense())


@given(seeds, st.integers(1, CHANNELS - 1), st.integers(1, FILTERS))
def test_tucker_layers_are_recovered(seed: int, inner: int, outer: int) -> None:
    """A layer that was pointwise, k x k and pointwise all along comes back; with all filters there is no last factor."""
    random = np.random.default_rng(seed)
    true = Tucker(*(random.standard_normal(shape) for shape in ((CHANNELS, inner), (inner * TAPS, outer), (outer, FILTERS))))
    gram = moments(patches(seed), patches(seed) @ true.dense(), channels=CHANNELS)

    found = tucker.fit(gram, inner=inner, outer=outer, start=true.A)

    assert isinstance(found, Squeezed if outer == FILTERS else Tucker)
    assert gram.error(found.dense()) < 1e-3


@given(seeds, st.integers(1, CHANNELS - 1))
def test_channels_that_the_layer_ignores_are_pruned_first(seed: int, rank: int) -> None:
    """A layer with zero weights for some channels comes back without them, though all channels are correlated."""
    random = np.random.default_rng(seed)
    read = sorted(random.choice(CHANNELS, rank, replace=False).tolist())
    W = np.zeros((CHANNELS, TAPS, FILTERS))
    W[read] = random.standard_normal((rank, TAPS, FILTERS))
    dense = W.reshape(-1, FILTERS)

    found = pruned.fit(moments(patches(seed), patches(seed) @ dense, channels=CHANNELS), channels=rank)

    assert list(found.kept) == read
    np.testing.assert_allclose(found.dense(), dense, atol=1e-2)


@given(seeds)
def test_weights_of_pruned_layers_compensate(seed: int) -> None:
    """What remains approximates the layer better than the same channels with their old weights."""
    _, W, gram = layer(seed)

    found = pruned.fit(gram, channels=4)
    old = np.where(found.dense() != 0, W, 0)

    assert gram.error(found.dense()) < gram.error(old)


@given(seeds)
def test_searching_the_first_factor_beats_its_start(seed: int) -> None:
    """Iterations lower the error below that of the higher-order singular value decomposition."""
    _, _, gram = layer(seed)

    start, found = (tucker.fit(gram, inner=3, outer=4, iterations=n) for n in (0, 25))

    assert gram.error(found.dense()) < gram.error(start.dense())


@pytest.mark.slow
@given(seeds)
def test_alternating_beats_algorithm_2_on_fresh_patches(seed: int) -> None:
    """The gain is not over-fitting: it holds on samples that the fit has not seen."""
    X, W, gram = layer(seed, samples=3000)
    fresh = X[2000:]
    gram, held_back = (moments(part, part @ W, channels=CHANNELS) for part in (X[:2000], fresh))

    two = paper.compensated(W, gram)

    assert held_back.error(als.alternate(gram, two).dense()) < held_back.error(two.dense())


@pytest.mark.slow
@given(seeds)
def test_error_never_grows_with_rank(seed: int) -> None:
    """More filters a channel never fit worse."""
    _, W, gram = layer(seed)

    errors = [als_error(gram, W, rank) for rank in range(1, TAPS + 1)]

    assert all(b <= a * (1 + 1e-6) + 1e-6 for a, b in pairwise(errors))
    assert errors[-1] < 1e-4


def als_error(gram: Gram, W: Matrix, rank: int) -> float:
    """The calibration error of ALS."""
    return gram.error(als.fit(W, gram, rank=rank).dense())


@pytest.mark.slow
@given(seeds)
def test_error_never_grows_with_components(seed: int) -> None:
    """A fit with more components that starts from one with fewer is no worse."""
    _, _, gram = layer(seed)
    form, errors = None, []

    for components in (2, 5, 9, 14):
        form = pdp.fit(gram, components=components, iterations=25, start=form)
        errors.append(gram.error(form.dense()))

    assert all(b <= a * (1 + 1e-5) for a, b in pairwise(errors))


@given(seeds)
def test_data_free_equals_data_driven_for_white_inputs(seed: int) -> None:
    """With inputs of unit variance and no correlation, Algorithm 1 is the SVD of the weights."""
    W = np.random.default_rng(seed).standard_normal((CHANNELS * TAPS, FILTERS))
    white = Gram.white(W, channels=CHANNELS)

    free, driven = paper.weight_svd(W, channels=CHANNELS), paper.plain(W, white)

    np.testing.assert_allclose(free.dense(), driven.dense(), atol=1e-8)
    assert white.error(paper.compensated(W, white).dense()) == pytest.approx(white.error(free.dense()), rel=1e-6)


@given(seeds)
def test_compensation_helps_on_its_own_samples(seed: int) -> None:
    """Table 1: compensated is below plain."""
    _, W, gram = layer(seed)

    assert gram.error(paper.compensated(W, gram).dense()) <= gram.error(paper.plain(W, gram).dense()) + 1e-9


@given(seeds)
def test_algorithm_3_is_algorithm_2_where_nothing_is_decomposed_before(seed: int) -> None:
    """With the original's own patches the cross moments are G, and both orders of errors agree."""
    _, W, gram = layer(seed)

    two, three = paper.compensated(W, gram), paper.multilayer(W, gram, gram.G)

    np.testing.assert_allclose(two.dense(), three.dense(), atol=1e-6)


def test_absolute_error_diverges() -> None:
    """Eq. 8 as printed adds up absolute values: worse than putting out nothing at all."""
    X, W, _ = layer(0)
    gram = moments(X, X @ W, channels=CHANNELS, centre="none")

    assert gram.error(paper.compensated_absolute(W, X, channels=CHANNELS).dense()) > 1.0


@given(seeds)
def test_gradients_match_differences(seed: int) -> None:
    """Each chain's gradient is that of its dense weights, checked along a random direction."""
    random = np.random.default_rng(seed)
    new = random.standard_normal
    forms = (
        DepthwisePointwise(new((CHANNELS, 2, TAPS)), new((CHANNELS, 2, FILTERS))),
        PointwiseDepthwise(new((CHANNELS, FILTERS)), new((FILTERS, TAPS))),
        Pdp(new((CHANNELS, 4)), new((4, TAPS)), new((4, FILTERS))),
        paper.channel(layer(seed)[2], filters=3),
        Squeezed(new((CHANNELS, 3)), new((3 * TAPS, FILTERS))),
        Tucker(new((CHANNELS, 3)), new((3 * TAPS, 4)), new((4, FILTERS))),
        pruned.Pruned(new((2 * TAPS, FILTERS)), (1, 4), CHANNELS),
    )
    slope = new((CHANNELS * TAPS, FILTERS))

    for form in forms:
        direction = tuple(new(f.shape) for f in form.factors)
        ends = [
            with_factors(form, tuple(f + step * d for f, d in zip(form.factors, direction, strict=True))).dense()
            for step in (1e-5, -1e-5)
        ]
        expected = np.sum(slope * (ends[0] - ends[1])) / 2e-5
        found = sum(np.sum(g * d) for g, d in zip(form.gradient(slope), direction, strict=True))
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.slow
@given(seeds)
def test_balancing_keeps_the_product(seed: int) -> None:
    """Norms move between factors; the dense weights stay."""
    _, W, gram = layer(seed)

    dense = [tucker.fit(gram, inner=3, outer=n, iterations=2) for n in (4, FILTERS)]
    for form in (paper.compensated(W, gram), bs.fit(W, gram), paper.channel(gram, filters=3), *dense):
        np.testing.assert_allclose(form.balanced().dense(), form.dense(), rtol=1e-8, atol=1e-8)


def test_seeds_repeat() -> None:
    """The same seed gives the same factors, bit for bit."""
    _, _, gram = layer(3)

    one, two = (pdp.fit(gram, components=4, iterations=10, seed=5) for _ in range(2))

    assert all(np.array_equal(a, b) for a, b in zip(one.factors, two.factors, strict=True))
