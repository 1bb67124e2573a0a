"""The forward pass of the digit network in pure Python: no numpy where the model is served."""

import json
import math
import operator
import pathlib

WEIGHTS = pathlib.Path(__file__).with_name("weights.json")

PIXELS = 64  # 8 x 8, row-major
CLASSES = 10


class Network:
    """A multilayer perceptron: ReLU between its layers, softmax at the end."""

    def __init__(self, path=WEIGHTS):
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
        self.scale = stored["scale"]
        self.layers = [(layer["weights"], layer["bias"]) for layer in stored["layers"]]

    def scores(self, pixels):
        """
        pixels   64 numbers, row-major, 0 (paper) to 16 (ink)
        returns  10 probabilities, rounded to 6 decimals: as many digits survive FP32, so that
                 answers in text and in binary are the same numbers
        """
        values = [pixel / self.scale for pixel in pixels]
        *hidden, last = self.layers
        for weights, bias in hidden:
            values = [max(value, 0.0) for value in dense(weights, bias, values)]
        return [round(score, 6) for score in softmax(dense(*last, values))]


def dense(weights, bias, values):
    """weights  [outputs][inputs]"""
    return [sum(map(operator.mul, row, values), start) for row, start in zip(weights, bias)]


def softmax(values):
    top = max(values)  # exp of what is left cannot overflow
    powers = [math.exp(value - top) for value in values]
    total = sum(powers)
    return [power / total for power in powers]


def label_of(scores):
    return max(range(len(scores)), key=scores.__getitem__)


def accuracy(network, images, labels):
    """returns  part of the rows whose label is found, 0 to 1"""
    right = sum(label_of(network.scores(image)) == label for image, label in zip(images, labels))
    return right / len(labels)
