"""Requests that are no chat: embeddings, images, audio, reranking, moderations. Their answers pass unread."""

from gateway.wire.plain.client import PlainClient
from gateway.wire.plain.dialect import PLAIN, Plain
from gateway.wire.plain.writer import PlainWriter

__all__ = ("PLAIN", "Plain", "PlainClient", "PlainWriter")
