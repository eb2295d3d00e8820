"""The system description: one typed YAML file, in sections that belong to the components that read them."""
