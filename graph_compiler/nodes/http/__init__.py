"""The node type `http.request` and its parts."""
