"""Finds cameras of this network and asks them for their streams, in the words of ONVIF.

Whoever is on the network may answer: what comes is bounded in size, number and time, and speaks for the address alone
that it came from.
"""
