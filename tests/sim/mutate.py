#!/usr/bin/env python3
"""Makes copies of sources with the faults of mutations.toml in them, each behind a switch.

    mutate.py SOURCE_DIR --list              the files that have any, relative to SOURCE_DIR
    mutate.py SOURCE_DIR OUTPUT_DIR          writes the copies, by the same names with "/" as "_"
"""
import pathlib
import sys
import tomllib

SWITCH = '([] {{ static const bool on = ::jarvis::sim::is_mutated("{}"); return on; }}())'


def mutations():
    return tomllib.loads((pathlib.Path(__file__).parent / "mutations.toml").read_text())["mutation"]


def files():
    return sorted({edit["file"] for mutation in mutations() for edit in mutation["edit"]})


def mutated(source, file):
    text = (source / file).read_text()
    for mutation in mutations():
        for edit in mutation["edit"]:
            if edit["file"] != file:
                continue
            # A switch may stand in what another mutation looks for.
            if text.count(edit["old"]) != 1:
                sys.exit(f"tests/sim/mutations.toml: \"{mutation['name']}\": what it looks for is in {file} {text.count(edit['old'])} times, "
                         f"not once:\n{edit['old']}")
            text = text.replace(edit["old"], edit["new"].replace("@", SWITCH.format(mutation["name"])))
    return f'#include "mutation.hpp"\n#line 1 "{file}"\n{text}'


def main():
    source = pathlib.Path(sys.argv[1])
    if sys.argv[2] == "--list":
        print(";".join(files()), end="")
        return
    output = pathlib.Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    for file in files():
        (output / file.replace("/", "_")).write_text(mutated(source, file))


if __name__ == "__main__":
    main()
