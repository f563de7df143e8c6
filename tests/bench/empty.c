// The least that a process can cost: what `jsub --version` is compared with.
int main(void) { return 0; }
