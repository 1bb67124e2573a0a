"""Programs of tests/fuzz: built by clang with its sanitizers out of what they are about, and run under libFuzzer."""

import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
FUZZER = "fuzzer,address,undefined"


def build(directory, name, modules, libraries="", sanitizers=FUZZER):
    """tests/fuzz/NAME.c with the C files of these modules ("common/str fcgi/record"); the program's path."""
    program = directory / name
    pq = ["pkg-config", "--cflags", "--libs", "libpq"]  # settings know connection strings by it
    pq = subprocess.run(pq, check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(
        ["clang", "-std=gnu17", "-D_GNU_SOURCE", "-DPOSTERN_SANITIZE", '-DSYSCONFDIR="/etc"', "-O1", "-g"]
        + [f"-I{TOP}", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=undefined"]
        + [str(TOP / f"{module}.c") for module in [f"tests/fuzz/{name}", *modules.split()]]
        + ["-o", str(program), *libraries.split(), *pq],
        check=True,
    )
    return program


def seeds_write(directory, seeds):
    """A corpus: a file for each seed by name."""
    corpus = directory / "corpus"
    corpus.mkdir()
    for name, seed in seeds.items():
        (corpus / name).write_bytes(seed)
    return corpus


def fuzz(program, corpus, words=(), max_len=2000, least=5000, seconds=10):
    """For so long no bytes do harm, out of `least` tries or more. words: those of libFuzzer's dictionary."""
    options = [f"-max_total_time={seconds}", f"-max_len={max_len}", "-timeout=5", "-rss_limit_mb=1024"]
    if words:
        dictionary = corpus.parent / "words"
        dictionary.write_text("".join(word + "\n" for word in words))
        options.append(f"-dict={dictionary}")
    run = subprocess.run(
        [program, *options, "-print_final_stats=1", corpus],
        cwd=corpus.parent, stderr=subprocess.PIPE, text=True, errors="replace",
    )
    assert run.returncode == 0, run.stderr[-3000:]
    tries = [int(line.split()[-1]) for line in run.stderr.splitlines() if "number_of_executed_units" in line]
    assert tries and tries[0] > least
