"""One job, a program for each library: train the lecture's autoencoder, and measure its error.

Each program is what a user of its library would write: layer by layer, with the library's own way
to train. It takes a file with the arrays ``train`` and ``test``, images (N, 28, 28) of bytes, and
runs by itself. ``command.py`` lets them take turns.
"""
