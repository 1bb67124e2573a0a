"""
The Open Inference Protocol v2 for one model: the bytes of a request in, the bytes of an answer out.

Data is JSON, nested or flat, or the binary tensor extension; answers are flat. Unknown members and
parameters are ignored, as by other servers; what is ambiguous or does not fit is refused.
"""

import array
import collections
import json
import math
import sys

import network

MODEL = "digits"
VERSION = "1"
INPUT = "image"
FP32_BYTES = 4
ROWS_MAX = 1_000_000  # more than any body holds; a number of thousands of digits cannot be shown
CODES = {"INT64": "q", "FP32": "f"}  # array's type codes
OUTPUTS = {"label": ("INT64", []), "scores": ("FP32", [network.CLASSES])}  # shapes of a row

SERVER_METADATA = {"name": "digits", "version": "1.0", "extensions": ["binary_tensor_data"]}
MODEL_METADATA = {
    "name": MODEL,
    "versions": [VERSION],
    "platform": "python",
    "inputs": [{"name": INPUT, "datatype": "FP32", "shape": [-1, network.PIXELS]}],
    "outputs": [
        {"name": name, "datatype": datatype, "shape": [-1, *shape]}
        for name, (datatype, shape) in OUTPUTS.items()
    ],
}

# json_bytes is the length of the JSON part when raw tensors follow it, else None
Answer = collections.namedtuple("Answer", "body json_bytes rows")


class Refusal(Exception):
    """An answer that is not 2xx: its HTTP status, the text for the client, headers beside."""

    def __init__(self, status, text, headers=()):
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


def need(condition, text):
    if not condition:
        raise Refusal(400, text)


def shown(name):
    """A client's own word in an error text: quoted, escaped, cut."""
    return ascii(name)[:80]


def infer(model, body, json_bytes=None):
    """
    body        the JSON, then the raw tensors
    json_bytes  of the header Inference-Header-Content-Length; None: all of the body is JSON
    errors      Refusal
    """
    size = len(body) if json_bytes is None else json_bytes
    need(size <= len(body), f"the JSON part has {size} bytes, the whole body only {len(body)}")
    request = request_of(body[:size])
    wanted = wanted_outputs(request)
    images = images_of(request, body[size:])
    return answer_of(request, wanted, [model.scores(image) for image in images])


def request_of(text):
    try:
        text = text.decode("utf-8")
        request = json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)
    except RecursionError:
        raise Refusal(400, "malformed JSON: nested too deep") from None
    except ValueError as error:  # also bad UTF-8 and integers of thousands of digits
        raise Refusal(400, f"malformed JSON: {error}") from None
    need(isinstance(request, dict), "the request must be an object")
    need(isinstance(request.get("id"), (str, type(None))), "id must be a string")
    parameters_of(request, "the request")
    return request


def unique(pairs):
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


def no_constant(name):
    raise ValueError(f"{name} is not a JSON number")


def parameters_of(holder, where):
    """null and missing are the same: some clients write every field."""
    parameters = holder.get("parameters")
    need(isinstance(parameters, (dict, type(None))), f"parameters of {where} must be an object")
    return parameters or {}


def flag_of(parameters, name, default):
    flag = parameters.get(name, default)
    need(isinstance(flag, bool), f"{name} must be true or false")
    return flag


def named(tensors, what):
    """returns  a list of tensors as a dictionary by name"""
    need(isinstance(tensors, list), f"{what}s must be a list")
    found = {}
    for tensor in tensors:
        need(isinstance(tensor, dict), f"each {what} must be an object")
        name = tensor.get("name")
        need(isinstance(name, str), f"each {what} needs a name")
        need(name not in found, f"{what} {shown(name)} is there twice")
        found[name] = tensor
    return found


def wanted_outputs(request):
    """returns  (name, binary) of each output to send, in the request's order; none named: all"""
    binary = flag_of(parameters_of(request, "the request"), "binary_data_output", False)
    asked = request.get("outputs")
    asked = named([] if asked is None else asked, "output") or dict.fromkeys(OUTPUTS, {})
    wanted = []
    for name, tensor in asked.items():
        need(name in OUTPUTS, f"unknown output {shown(name)}, there are {' and '.join(OUTPUTS)}")
        parameters = parameters_of(tensor, f"output {name}")
        wanted.append((name, flag_of(parameters, "binary_data", binary)))
    return wanted


def images_of(request, raw):
    """returns  one array of 64 numbers a row"""
    inputs = named(request.get("inputs"), "input")
    for name in inputs:
        need(name == INPUT, f"unknown input {shown(name)}, the model takes {INPUT}")
    need(INPUT in inputs, f"input {INPUT} is missing")
    tensor = inputs[INPUT]
    need(tensor.get("datatype") == "FP32", f"datatype of {INPUT} must be FP32")
    rows = rows_of(tensor.get("shape"))
    size = parameters_of(tensor, f"input {INPUT}").get("binary_data_size")
    if size is None:
        need(not raw, f"{len(raw)} bytes follow the JSON that no input claims")
        values = json_values(tensor.get("data"), rows)
    else:
        need(tensor.get("data") is None, f"{INPUT} has both data and binary_data_size")
        values = raw_values(raw, size, rows)
    finite = all(map(math.isfinite, values))
    need(finite, f"data of {INPUT} has a number that is not finite in FP32")
    return [values[at : at + network.PIXELS] for at in range(0, len(values), network.PIXELS)]


def rows_of(shape):
    right = isinstance(shape, list) and list(map(type, shape)) == [int, int]
    right = right and 0 <= shape[0] <= ROWS_MAX and shape[1] == network.PIXELS
    need(right, f"shape of {INPUT} must be [N,{network.PIXELS}], N at most {ROWS_MAX}")
    return shape[0]


def json_values(data, rows):
    """data  nested or flat"""
    need(isinstance(data, list), f"data of {INPUT} must be a list")
    if data and isinstance(data[0], list):
        need(len(data) == rows, f"data of {INPUT} has {len(data)} rows, its shape {rows}")
        for row in data:
            right = isinstance(row, list) and len(row) == network.PIXELS
            need(right, f"each row of {INPUT} must be {network.PIXELS} numbers")
        data = [value for row in data for value in row]
    # By type, since bool is an int to isinstance.
    need(set(map(type, data)) <= {int, float}, f"data of {INPUT} must be numbers")
    count = rows * network.PIXELS
    need(len(data) == count, f"data of {INPUT} has {len(data)} numbers, its shape {count}")
    try:
        return array.array("f", data)  # floats too large become infinite
    except OverflowError:
        raise Refusal(400, f"data of {INPUT} has a number that is not finite in FP32") from None


def raw_values(raw, size, rows):
    right = type(size) is int and size == len(raw)
    need(right, f"binary_data_size must be {len(raw)}, the bytes after the JSON")
    count = rows * network.PIXELS * FP32_BYTES
    need(size == count, f"data of {INPUT} has {size} bytes, its shape {count}")
    values = array.array("f", raw)
    little_endian(values)
    return values


def little_endian(values):
    if sys.byteorder == "big":
        values.byteswap()


def answer_of(request, wanted, scores):
    results = {
        "label": [network.label_of(row) for row in scores],
        "scores": [score for row in scores for score in row],
    }
    answer = {"model_name": MODEL, "model_version": VERSION}
    if request.get("id") is not None:
        answer["id"] = request["id"]
    answer["outputs"] = []
    blobs = []
    for name, binary in wanted:
        datatype, shape = OUTPUTS[name]
        output = {"name": name, "datatype": datatype, "shape": [len(scores), *shape]}
        if binary:
            blobs.append(raw_of(datatype, results[name]))
            output["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            output["data"] = results[name]
        answer["outputs"].append(output)
    text = to_json(answer)
    return Answer(text + b"".join(blobs), len(text) if blobs else None, len(scores))


def raw_of(datatype, numbers):
    values = array.array(CODES[datatype], numbers)
    little_endian(values)
    return values.tobytes()


def to_json(value):
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
