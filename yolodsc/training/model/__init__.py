"""The trainable network: parameters, activations, forward and backward passes."""
