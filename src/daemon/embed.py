# SPDX-License-Identifier: Apache-2.0
"""embed.py HEADER FILE...: files as C arrays, named by the file (index.html: index_html)"""
import pathlib
import sys

with open(sys.argv[1], "w", encoding="ascii") as out:
    out.write("/* SPDX-License-Identifier: Apache-2.0 */\n/* made by embed.py */\n")
    for name in map(pathlib.Path, sys.argv[2:]):
        data = name.read_bytes()
        out.write(f"static const unsigned char {name.name.replace('.', '_')}[] = {{\n")
        for i in range(0, len(data), 20):
            out.write(",".join(map(str, data[i:i + 20])) + ",\n")
        out.write("};\n")
