/* One line for each optimizer: KFI_OPTIMIZER(symbol). */
KFI_OPTIMIZER(sgd)
KFI_OPTIMIZER(rmsprop)
KFI_OPTIMIZER(adam)
KFI_OPTIMIZER(adagrad)
KFI_OPTIMIZER(adadelta)
KFI_OPTIMIZER(adamax)
KFI_OPTIMIZER(nadam)
