"""The compliance report of a site: what safety managers print, sign and file."""
