"""The rules of the house: pure values and functions, standard library only, no I/O and no clock."""
