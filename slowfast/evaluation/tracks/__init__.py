"""Who is who: how well people are followed through a video."""
