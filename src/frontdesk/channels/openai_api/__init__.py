"""The OpenAI-compatible API under /v1: the official clients work unchanged.

The model `frontdesk` is the desk itself, with its knowledge and tools; every other name goes straight to that model.
Source of the formats: the API reference of OpenAI (platform.openai.com/docs/api-reference).
"""
