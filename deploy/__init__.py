"""How the platform is started, watched and shipped. Nothing that a service needs to run."""
