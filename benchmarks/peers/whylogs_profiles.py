"""whylogs: a profile of each file, and their statistics as a table; its drift report needs a notebook."""

import sys

import pandas as pd
import whylogs as why

if __name__ == "__main__":
    views = []
    for path in sys.argv[1:3]:
        views.append(why.log(pd.read_parquet(path)).view())
    views[0].to_pandas().join(views[1].to_pandas(), lsuffix=" reference").to_html(sys.argv[3])
