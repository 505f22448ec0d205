"""Where real libraries are something else than they say: known, by version, and strict. One file for each library."""
