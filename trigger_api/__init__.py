"""trigger_api"""
