"""headrace_cli"""
