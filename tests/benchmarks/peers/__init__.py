"""Peers, a module each. `./run bench --peers` installs what they need."""
