"""How the network learns: `fit` trains it, `evaluation` scores it; beside them what each training is made of."""
