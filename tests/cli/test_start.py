#!/usr/bin/env python3
"""Commands start quickly: they load the C library and nothing else (tests/bench/run.sh measures what that brings)."""
import re
import subprocess
import sys

from commands_under_test import BIN, BUILD, COMMANDS, Commands, main


class Start(Commands):
    def test_only_the_c_library_is_loaded(self):
        for name in sorted(set(COMMANDS) - {"jadmin"}):     # which administrators type now and then, and which may load more
            shown = subprocess.run(["readelf", "-d", BIN / name], check=True, stdout=subprocess.PIPE, text=True).stdout
            loaded = set(re.findall(r"\(NEEDED\).*\[([^]]*)\]", shown))
            self.assertIn("libc.so.6", loaded)
            # Without optimization a little arithmetic is left to its second half.
            other = {library for library in loaded - {"libc.so.6", "libm.so.6"} if not library.startswith("ld-linux")}
            self.assertFalse(other, name)


cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
if not re.search(r"(?m)^JARVIS_QUICK_START:INTERNAL=ON$", cache):
    print("skipped: sanitizers need shared libraries, or there is no static protobuf here, or another fmt than version 9")
    sys.exit(77)
main()
