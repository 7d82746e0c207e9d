"""The Chatbot UI custom route: POST /api/chat/custom."""
