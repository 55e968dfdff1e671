"""What people read, in their language: sentences, times, numbers, sizes."""
