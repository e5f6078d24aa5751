"""All node types, and the reference pages made of them."""
