/root/w/surv/cases/build/gmem/punch-hole/observe.o: \
 gmem/punch-hole/observe.c lib/cpus.h lib/util.h lib/hostmem.h \
 gmem/punch-hole/punch.h lib/case.h lib/observe.h lib/json.h lib/step.h \
 lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/memslot.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/race.h lib/random.h
lib/cpus.h:
lib/util.h:
lib/hostmem.h:
gmem/punch-hole/punch.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/step.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/race.h:
lib/random.h:
