/root/w/surv/cases/build/guest/probe.o: ../guest/probe.c ../guest/probe.h
../guest/probe.h:
