"""Model lookup in a live Supabase project."""
