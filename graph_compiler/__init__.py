"""graph_compiler"""
