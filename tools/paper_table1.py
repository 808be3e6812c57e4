"""Table 1 of He et al. 2019 (relative error of one layer on random data), as printed and as measured.

The paper does not say which shapes it used; these reproduce it: 64 channels, 3x3, 128 filters, N(0, 1), 3000 samples, error
||Y - Y'|| / ||Y||, channel decomposition to floor(128 / 9) = 14 filters. Run: python tools/paper_table1.py
"""

import argparse

import numpy as np

from yolodsc.decompose.factor import paper
from yolodsc.decompose.factor.gram import moments

CHANNELS, TAPS, FILTERS, SAMPLES = 64, 9, 128, 3000
PRINTED = {"channel decomposition": 0.887, "depthwise, plain": 0.914, "depthwise, compensated": 0.906}


def one_run(seed: int) -> dict[str, float]:
    """Relative errors for one draw of X and W."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((SAMPLES, CHANNELS * TAPS))
    W = random.standard_normal((CHANNELS * TAPS, FILTERS))
    gram = moments(X, X @ W, channels=CHANNELS, centre="none")
    forms = {
        "channel decomposition": paper.channel(gram, filters=FILTERS // 9),
        "depthwise, plain": paper.plain(W, gram),
        "depthwise, compensated": paper.compensated(W, gram),
        "depthwise, compensated, absolute error (eq. 8 as printed)": paper.compensated_absolute(W, X, channels=CHANNELS),
    }
    return {name: gram.error(form.dense()) for name, form in forms.items()}


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs = [one_run(seed) for seed in range(parser.parse_args().runs)]
    print("| method | paper | measured | deviation of runs |\n|---|---|---|---|")
    for name in runs[0]:
        values = np.array([run[name] for run in runs])
        printed = f"{PRINTED[name]:.3f}" if name in PRINTED else "-"
        print(f"| {name} | {printed} | {values.mean():.4f} | {values.std():.4f} |")


if __name__ == "__main__":
    main()
