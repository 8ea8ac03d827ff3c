"""How much fits on which machines: figures measured by ``ppewatch bench capacity``, arithmetic over them (``planning``)
and a simulation that lets queues, failures and takeovers happen (``simulation``)."""
