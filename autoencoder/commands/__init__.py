"""What can be done with a trained model from the command line, from a clone or a wheel."""
