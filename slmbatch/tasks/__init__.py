"""What is asked of every document: a label set or a schema, compiled once into prompts and reply shapes."""
