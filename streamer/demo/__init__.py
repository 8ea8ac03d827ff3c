"""What ``ppewatch demo`` needs beside the daemon: a clip, a broker inside the process, a site."""
