"""stream_api"""
