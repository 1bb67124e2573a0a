#!/usr/bin/env python3
"""
Train the digit network: writes weights.json and heldout.json beside this file.

Needs scikit-learn and numpy; serving and checking need neither. With --measure nothing is trained
or written: the stored weights are measured on the whole held-out part. With --in-order nothing is
written either: the same recipe is tried with the last rows of the data set held out.
"""

import argparse
import json
import pathlib
import sys

import network

HERE = pathlib.Path(__file__).parent
SEED = 0
HELD_OUT = 0.25  # part of the rows
HIDDEN = 32
EPOCHS = 150
PENALTY = 0.1  # L2; chosen with HIDDEN and EPOCHS by cross-validation inside the training part
PAGE = 100  # held-out rows that are stored
SCALE = 16
DECIMALS = 3


def split(digits):
    """returns  row numbers of the training and of the held-out part, each digit in proportion"""
    from sklearn.model_selection import train_test_split

    rows = range(len(digits.target))
    return train_test_split(rows, test_size=HELD_OUT, random_state=SEED, stratify=digits.target)


def train(images, labels):
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((HIDDEN,), alpha=PENALTY, batch_size=64, random_state=SEED)
    for _ in range(EPOCHS):
        model.partial_fit(images / SCALE, labels, classes=range(network.CLASSES))
    return model


def rounded(values):
    return [round(float(value), DECIMALS) + 0.0 for value in values]  # + 0.0: no -0.0 in the file


def weights_of(model):
    layers = [
        {"weights": [rounded(row) for row in weights.T], "bias": rounded(bias)}
        for weights, bias in zip(model.coefs_, model.intercepts_)
    ]
    return {"scale": SCALE, "layers": layers}


def page_of(digits, rows):
    """The first held-out rows, right or wrong; "rows" are their numbers in the data set."""
    rows = sorted(rows[:PAGE])
    return {
        "rows": rows,
        "labels": [int(digits.target[row]) for row in rows],
        "images": [[int(pixel) for pixel in digits.data[row]] for row in rows],
    }


def write(name, value):
    (HERE / name).write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="utf-8")


def measure_in_order(digits):
    """Neighbours in the data set are alike, so this split is the harder one."""
    cut = round(len(digits.target) * (1 - HELD_OUT))
    model = train(digits.data[:cut], digits.target[:cut])
    part = model.score(digits.data[cut:] / SCALE, digits.target[cut:])
    print(f"held out in order: {part:.1%} of {len(digits.target) - cut} rows")


def measure(digits, rows):
    part = network.accuracy(network.Network(), digits.data[rows].tolist(), digits.target[rows])
    print(f"held out: {part:.1%} of {len(rows)} rows")


class Parser(argparse.ArgumentParser):
    """The exit status of the other scripts for what they do not know."""

    def error(self, message):
        self.exit(64, f"{self.prog}: {message}; see --help\n")


def main():
    parser = Parser(description="train the digit network; needs scikit-learn and numpy")
    parser.add_argument("--measure", action="store_true", help="only measure the stored weights")
    parser.add_argument("--in-order", action="store_true", help="only try the split in order")
    options = parser.parse_args()
    try:  # here, and in the functions: --help is there without it
        from sklearn.datasets import load_digits
    except ImportError as error:
        print(f"train.py: scikit-learn is not to be had: {error}", file=sys.stderr)
        sys.exit(69)
    digits = load_digits()
    if options.in_order:
        measure_in_order(digits)
        return
    training, held_out = split(digits)
    if not options.measure:
        write("weights.json", weights_of(train(digits.data[training], digits.target[training])))
        write("heldout.json", page_of(digits, held_out))
    measure(digits, held_out)


if __name__ == "__main__":
    main()
