"""``ppewatch init --browser``: the same questions on a page of this machine, for one browser, once."""
