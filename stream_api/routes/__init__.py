"""The addresses of the stream: Server-Sent Events, WebSockets, the watch page."""
