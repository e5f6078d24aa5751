"""graph_compiler/nodes"""
