"""The API: what the pages do, for programs that act for a person, with a token of his and his rights."""
