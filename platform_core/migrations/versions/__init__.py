"""platform_core/migrations/versions"""
