"""Try one feature of one library and print, as JSON, what came out."""

import json
import sys

from . import answer

if __name__ == "__main__":
    print(json.dumps(answer(*sys.argv[1:])))
