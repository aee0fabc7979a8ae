"""What goes into a prompt: texts, files, images and mentions as the server's parts, and their completion."""
