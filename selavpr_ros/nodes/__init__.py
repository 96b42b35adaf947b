"""The live nodes: two executables, and what each of them is made of, in a folder of its own."""
