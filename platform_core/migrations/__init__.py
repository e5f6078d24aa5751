"""platform_core/migrations"""
