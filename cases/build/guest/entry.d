/root/w/surv/cases/build/guest/entry.o: ../guest/entry.S \
 ../guest/probe_asm.h
../guest/probe_asm.h:
