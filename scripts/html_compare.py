#!/usr/bin/python3
"""Makes one page that opens offline from the data of `steepest compare --html`.

    scripts/html_compare.py data.json page.html

plotly.js comes from Debian's python3-plotly (or PyPI's plotly) and is put into the page compressed, as the data is.
Exit codes: 3 plotly is missing, 6 the page cannot be written.
"""

import base64
import gzip
import json
import pathlib
import sys

from written_whole import written_whole

try:
    from plotly.offline import get_plotlyjs
except ImportError:
    print("plotly is missing: install Debian's python3-plotly", file=sys.stderr)
    sys.exit(3)


def packed(text):
    # No time in the header: the same runs give the same bytes.
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    data, page = map(pathlib.Path, sys.argv[1:])
    json.loads(data.read_text(encoding="utf-8"))
    template = pathlib.Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    text = template.replace("@PLOTLY@", packed(get_plotlyjs())).replace("@DATA@", packed(data.read_text(encoding="utf-8")))
    with written_whole(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
