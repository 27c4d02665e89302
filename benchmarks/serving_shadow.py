def measure(*a):
    return None


def text(x):
    return ""
