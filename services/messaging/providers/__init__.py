"""Those who carry messages, behind the one port `domain.provider.Provider`.

They convert whatever can happen on a network into the port's four answers, and log no address.
"""
